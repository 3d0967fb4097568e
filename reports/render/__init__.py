"""How reports look: layout, plots, HTML, pictures and files of tables."""
