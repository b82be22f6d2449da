"""What can Flask, waitress and SQLite do at best? One row an insert, durable, under the product's own server.

    python -m benchmarks.bare_api DATABASE

It prints the port it listens on. No validation, no allocation, no journal: the floor of the `api` benchmark.
"""

import json
import socket
import sqlite3
import sys
import threading
import uuid

from flask import Flask, Response, request

from api.serve import Server


def application(path: str) -> Flask:
    """Return the application on a fresh database."""
    app = Flask(__name__)
    lock = threading.Lock()
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE port (id TEXT PRIMARY KEY, body TEXT)")

    def insert(bodies: list[object]) -> list[dict[str, object]]:
        rows = [{"id": str(uuid.uuid4()), "body": body} for body in bodies]
        with lock:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO port VALUES (?, ?)", [(r["id"], json.dumps(r["body"])) for r in rows])
            connection.execute("COMMIT")
        return rows

    @app.post("/v2.0/ports")
    def create() -> Response:
        body = request.get_json()
        rows = insert(body["ports"] if "ports" in body else [body["port"]])
        return Response(json.dumps(rows), 201, mimetype="application/json")

    @app.get("/v2.0/ports")
    def index() -> Response:
        with lock:
            rows = connection.execute("SELECT id, body FROM port").fetchall()
        answer = [{"id": i, **json.loads(body)} for i, body in rows]
        return Response(json.dumps({"ports": answer}), mimetype="application/json")

    @app.get("/v2.0/ports/<identifier>")
    def show(identifier: str) -> Response:
        with lock:
            row = connection.execute("SELECT body FROM port WHERE id = ?", (identifier,)).fetchone()
        return Response(row[0], mimetype="application/json")

    return app


def main() -> None:
    """Serve until killed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
    server = Server(application(sys.argv[1]), listener)
    print(listener.getsockname()[1], flush=True)
    server.run()


if __name__ == "__main__":
    main()
