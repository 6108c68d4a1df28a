"""Messages to people: the `Notices` port."""
