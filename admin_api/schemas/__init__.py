"""What goes in and out, field by field. Every check of a single value is one of `intercom_core.model.values`."""
