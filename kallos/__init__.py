"""kallos: how a pool of raters would rate a photograph of a face, traced to features by SQL."""
