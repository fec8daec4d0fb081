"""What every room uses: errors, files that are whole or absent, progress bars, quiet imports."""
