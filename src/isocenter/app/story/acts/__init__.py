"""What each step of the story does, and what it looks at afterwards."""
