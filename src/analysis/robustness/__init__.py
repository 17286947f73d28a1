"""Does an estimate survive every reasonable choice, placebo, chance and hidden confounding? One module per check."""
