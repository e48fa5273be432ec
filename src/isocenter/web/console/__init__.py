"""The frame of the console's pages: who visits, where they can go, forms, notices, live updates."""
