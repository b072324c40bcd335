"""The operator's process in virtual time: its clock, its faults and its trace."""
