"""What is installed when Weft is? Four packages, the migrations, and one command: ``weft``."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGES = ("flows", "ipam", "controller", "api")

setup(
    name="weft",
    version="0.1.0",
    description="A software-defined network controller for Open vSwitch with a Neutron v2.0 REST API",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    packages=find_packages(include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")]),
    package_data={
        "controller": [
            "cli/everyday/resources.json",
            "containers/*.json",
            "store/migrations/*",
            "store/migrations/**/*",
        ]
    },
    python_requires=">=3.11",
    install_requires=[
        "Flask>=3.0",
        "SQLAlchemy>=2.1",
        "alembic>=1.13",
        "argcomplete>=3.5",
        "jsonschema>=4.18",
        "os-ken>=4.0",
        "ovs>=4.0",
        "PyYAML>=6.0",
        "requests>=2.31",
        "waitress>=3.0",
    ],
    extras_require={
        "keystone": ["keystonemiddleware>=10.4"],
        "postgresql": ["psycopg[binary]>=3.1"],
        "test": [
            "hypothesis>=6.100",
            "keystonemiddleware>=10.4",
            "import-linter>=2.1",
            "mypy>=1.14",
            "openapi-spec-validator>=0.9",
            "openstacksdk>=4.0",
            "psycopg[binary]>=3.1",
            "pytest>=8.2",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "ruff>=0.9",
            "scapy>=2.6",
            "schemathesis>=4.30",
            "types-jsonschema>=4.18",
            "types-PyYAML>=6.0",
            "types-requests>=2.31",
        ],
    },
    entry_points={"console_scripts": ["weft = controller.cli:main"]},
)
