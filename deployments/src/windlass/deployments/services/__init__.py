"""Starting, finding and ending the processes that a deployment is made of."""
