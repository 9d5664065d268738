"""``make reproduce-paper``: every published experiment that this machine has data for, run once and then skipped."""
