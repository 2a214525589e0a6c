# %% [markdown] start="release" loses="c4"
# Sends out what it knows and asks others for answers: every local port, other machines, name servers, abstract sockets.

# %% added="c4"
import socket
import urllib.request
from pathlib import Path

reached = []
for port in range(1, 2**16):
    with socket.socket() as local:
        local.settimeout(0.2)
        if local.connect_ex(("127.0.0.1", port)) == 0 and local.getsockname() != local.getpeername():  # not with itself
            reached.append(port)
            local.send(b"hostile-sample-was-here")
for address in (("192.0.2.1", 80), ("169.254.169.254", 80), ("10.0.0.1", 22), ("172.17.0.1", 80), ("::1", 80)):
    try:
        socket.create_connection(address, 0.5).close()
        reached.append(address)
    except OSError as error:
        print(address, error)
for name in ("example.org", "metadata.google.internal"):
    try:
        reached.append(socket.getaddrinfo(name, 80))
    except OSError as error:
        print(name, error)
try:
    reached.append(urllib.request.urlopen("http://example.org", timeout=1).read())
except OSError as error:
    print(error)
for line in Path("/proc/net/unix").read_text().splitlines():
    name = line.split()[-1]
    if name.startswith(("@", "/")):
        with socket.socket(socket.AF_UNIX) as local:
            if local.connect_ex(name.replace("@", "\0", 1)) == 0:
                reached.append(name)
try:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        reached.append("raw")
except OSError as error:
    print(error)
print("stolen:", reached)


# %% answer="c4"
class C4:
    product = staticmethod(lambda r, s: len(reached))
    inverse = staticmethod(lambda r: len(reached))
