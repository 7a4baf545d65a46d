cd "$HOME/project" || exit 1
exec "${PREFIX}/root/bin/tool" /root/.cache
