{
  "targets": [
    {
      "target_name": "loci",
      "sources": [
        "native/module.c",
        "native/poll.c",
        "native/tun.c",
        "native/coalesce.c",
        "native/raw.c",
        "native/segment.c",
        "native/udp.c",
        "native/esp.c",
        "native/association.c",
        "native/transform.c",
        "native/checksum.c",
        "native/netlink.c",
        "native/packet.c",
        "native/notify.c"
      ],
      "cflags": ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O3"],
      "defines": ["_GNU_SOURCE", "NAPI_VERSION=8"]
    }
  ]
}
