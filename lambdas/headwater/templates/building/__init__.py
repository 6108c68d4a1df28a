"""The fast way of a JSON template: to Python that builds objects, specialised for where and how it is called.

Text that is parsed again costs more than all else, and so do variables looked up by name. Where a root template and all
it calls are known, where each of them stands in the JSON is known too, and which names can be bound there; so members
become `d["key"] = value` and arguments become Python's own. Whatever this cannot do for sure raises `Unbuildable`, when
it is compiled or while it runs, and the engine takes the slow way, by text, which decides what the result is.
"""
