"A trained model on a machine without PyTorch. All modules but `export` and those behind it need NumPy, Pillow and a runtime alone."
