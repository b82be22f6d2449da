"""Tests of controller.policy."""
