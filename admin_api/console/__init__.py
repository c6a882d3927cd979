"""Pages for people: rendered here, without scripts and without anything from elsewhere, on the API's use cases."""
