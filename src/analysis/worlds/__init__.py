"""Simulated worlds whose truth is known, by the hundred: what each design does if its assumptions hold, or not."""
