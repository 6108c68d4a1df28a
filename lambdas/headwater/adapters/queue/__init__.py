"""The FIFO queues that we send to: the `Queue` port."""
