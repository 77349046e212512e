#!/bin/sh
# Starts Asterisk with the ARI password of the environment, which goes into memory only and never into the image.
set -eu
: "${ARI_PASSWORD:?wants the password the daemon has in TONGDAI_ARI__PASSWORD}"
case $ARI_PASSWORD in
*[!A-Za-z0-9_-]*)
    echo "ARI_PASSWORD wants letters, digits, - and _ only" >&2
    exit 2
    ;;
esac
umask 077
printf '[tongdai]\ntype=user\nread_only=no\npassword=%s\n' "$ARI_PASSWORD" >/run/asterisk/ari-user.conf
unset ARI_PASSWORD
exec /opt/asterisk/run-asterisk -f -n -C /etc/asterisk/asterisk.conf
