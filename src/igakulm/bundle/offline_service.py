"""A systemd unit and a Dockerfile for the folder that goes to a machine without a network.

Does: hold their words; both run the folder's own start.sh. Does not: write files, or fetch anything.
Source: systemd.exec(5), systemd.service(5); Dockerfile reference.
"""

from __future__ import annotations

UNIT = """# IgakuLM（このフォルダーを /opt/igakulm に置いた場合）。使い方は README.md の「常駐させる」。
[Unit]
Description=IgakuLM, a medical language model for this hospital
Documentation=file:///opt/igakulm/README.md
After=network.target

[Service]
Type=exec
ExecStart=/bin/sh /opt/igakulm/start.sh --audit-log /var/lib/igakulm/audit.jsonl
ExecReload=/bin/kill -HUP $MAINPID
Environment=IGAKULM_ENV=/var/lib/igakulm/env XDG_CACHE_HOME=/var/cache/igakulm
# IGAKULM_API_KEY=..., IGAKULM_AUDIT_KEY=...: root only (chmod 600).
EnvironmentFile=-/etc/igakulm/environment
DynamicUser=yes
StateDirectory=igakulm
StateDirectoryMode=0700
CacheDirectory=igakulm
UMask=0077
Restart=on-failure
RestartSec=5
TimeoutStartSec=30min
TimeoutStopSec=30
LimitNOFILE=4096
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""

_DOCKERFILE = """# IgakuLM をこのフォルダーだけから作る（ネットワークは使わない）。
#   docker load < python.tar            土台の python:@VERSION@-slim を前もって入れる（ほかの計算機で docker save）
#   docker build --network none -t igakulm .
#   docker run --network host --read-only --tmpfs /tmp -e IGAKULM_API_KEY -v igakulm:/var/lib/igakulm igakulm
ARG BASE=python:@VERSION@-slim
FROM ${BASE}
COPY . /opt/igakulm
ENV IGAKULM_ENV=/opt/igakulm-env XDG_CACHE_HOME=/var/lib/igakulm PYTHONDONTWRITEBYTECODE=1
RUN sh /opt/igakulm/start.sh --help && mkdir -p /var/lib/igakulm && chown 65532:65532 /var/lib/igakulm
USER 65532:65532
VOLUME /var/lib/igakulm
EXPOSE 8765
HEALTHCHECK --start-period=10m --interval=30s --timeout=15s CMD ["/opt/igakulm-env/bin/python", "-c", \
"import urllib.request as u; u.urlopen('http://127.0.0.1:8765/ready', timeout=14)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["sh", "/opt/igakulm/start.sh"]
CMD ["--audit-log", "/var/lib/igakulm/audit.jsonl"]
"""


def dockerfile(version: str) -> str:
    """Dockerfile for a version of Python such as "3.11"; its context is the folder."""
    return _DOCKERFILE.replace("@VERSION@", version)
