"""Every message that ever came: the `Inbox` port."""
