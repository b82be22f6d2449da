"""Does every port reach exactly whom it may? Random clouds on real Open vSwitch beside a model of the API's words."""
