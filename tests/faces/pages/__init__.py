"""The pages of each face, filled by who writes the face: `SCREENS` in a module per face."""
