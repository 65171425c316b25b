"""Attribution methods, one in each module."""
