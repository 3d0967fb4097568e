"""What a Space holds beside the code of kallos: its program. The program runs there, never here."""
