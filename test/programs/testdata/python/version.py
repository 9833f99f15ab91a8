import platform

print(platform.python_implementation(), platform.python_version())
