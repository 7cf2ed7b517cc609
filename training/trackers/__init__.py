"""Trackers: where runs are followed beside their folders, which are complete without them. One file per tracker."""
