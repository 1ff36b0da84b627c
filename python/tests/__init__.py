"""Tests of the Python shell, and of the SQL core through it."""
