"""Images that come from disk: archives, folders, their decoding and packing."""
