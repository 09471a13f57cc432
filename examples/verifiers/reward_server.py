#!/usr/bin/env python3
"""A verifier as a server, of the standard library alone: 1 for the right answer, else 0.

    ./reward_server.py --port 8000        [[reward]] verifier = "http://127.0.0.1:8000/score"
"""
import argparse
import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def reward(sample):  # or a reward model, over all samples at once
    return float(sample["completion"].strip().endswith(str(sample["columns"]["answer"])))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps the connection

    def do_POST(self):
        samples = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["samples"]
        body = json.dumps({"rewards": [reward(sample) for sample in samples]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


options = argparse.ArgumentParser()
options.add_argument("--port", type=int, default=8000, help="0: any that is free")
options.add_argument("--certificate", help="a PEM file with key and certificate, for https")
options = options.parse_args()
server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
if options.certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
host = "https://localhost" if options.certificate else "http://127.0.0.1"
print(f"{host}:{server.server_port}/score", flush=True)
server.serve_forever()
