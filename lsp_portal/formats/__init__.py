"""How Django writes dates and times where a page says nothing else: in the administration."""
