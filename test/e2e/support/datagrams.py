"""Sends datagrams of one size to ADDRESS PORT as a program does that wants none of them fragmented (RFC 3542 §11).

Says for each what the kernel answered, and at last the path MTU that it knows. Everything in lines of JSON.
"""
import errno
import json
import socket
import sys
import time

IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO, IPV6_MTU = 23, 2, 24  # linux/in6.h

address, port, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
    sender.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO)
    sender.connect((address, port))
    answers = []
    for _ in range(count):
        try:
            sender.send(bytes(size))
            answers.append("sent")
        except OSError as error:
            answers.append(errno.errorcode.get(error.errno or 0, "?"))
        time.sleep(0.2)
    mtu = sender.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
    print(json.dumps({"type": "done", "answers": answers, "mtu": mtu}))
