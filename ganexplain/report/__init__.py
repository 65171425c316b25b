"""The pages that are read and listened to."""
