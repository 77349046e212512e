"""Tổng Đài: a hotline controller that runs beside a stock Asterisk."""

__version__ = "0.1.0"
