"""A quadratic function of all that is known of a face without training a network."""
