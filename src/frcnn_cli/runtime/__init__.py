"""Processes, devices, memory and interrupts; nothing here knows of detection."""
