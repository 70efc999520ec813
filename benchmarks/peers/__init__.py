"""The apps that are measured. Each function makes one."""
