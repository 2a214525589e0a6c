# %% [markdown] mistake="turns the pixels first and then mirrors them, while the group axis moves by (f, r) as it should"

# %% answer="d4-action"
def transform_p4m(y: torch.Tensor, g: tuple[int, int]) -> torch.Tensor:
    f, r = g
    pixels = rotate(y, r)
    if f:
        pixels = reflect(pixels)
    out = torch.empty_like(pixels)
    for f2 in range(2):
        for r2 in range(4):
            # R^r F^f R^r2 F^f2: where the map of (f2, r2) goes
            sense = -1 if f else 1
            goes_to = 4 * ((f + f2) % 2) + (r + sense * r2) % 4
            out[..., goes_to, :, :] = pixels[..., 4 * f2 + r2, :, :]
    return out
