"""Where data and models meet: a folder is a task, a file is shared by all tasks."""
