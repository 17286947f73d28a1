"""Clicks to Change: do process indicators of rights campaigns predict outcome indicators?"""
