"""The world behind the ports: a folder is a port, a file in it a technology. Only `bootstrap` picks one."""
