"""What people read: each report is a query that gives plain data, then a renderer."""
