"""What is said and computed; no Ray, files, clocks or sockets."""
