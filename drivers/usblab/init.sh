#!/bin/sh
# The guest's first process: file systems, modules, network, the script, an end.
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /etc /var /sbin /usr/bin /usr/sbin
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
ln -sf pts/ptmx /dev/ptmx
chmod 666 /dev/pts/ptmx
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
ln -s /run /var/run
stty -F /dev/console -onlcr 2>/dev/null
echo 'root:x:0:0:root:/root:/bin/sh' > /etc/passwd
printf 'root:x:0:\ntty:x:5:\ndialout:x:20:\nplugdev:x:46:\n' > /etc/group
echo '127.0.0.1 localhost' > /etc/hosts
while read -r module; do
	insmod "$module" || echo "usblab: module $module does not load"
done < /lab/modules.order
ip link set lo up
ip link set eth0 up 2>/dev/null &&
	ip addr add 10.0.2.15/24 dev eth0 &&
	ip route add default via 10.0.2.2
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/tmp TMPDIR=/tmp
cd /tmp
echo "usblab: booted after $(cut -d' ' -f1 /proc/uptime) s"
sh /lab/script
echo "usblab: exit $?"
sync
reboot -f
