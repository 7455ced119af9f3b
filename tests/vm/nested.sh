#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# First process of a virtual machine inside the twin that has a function of its igb by VFIO (test_vfio.py starts it and
# reads its console). It says `NAME VALUE` a line; a word on its console lets it go on.
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
net=/sys/class/net/eth0

# tell NAME: the MAC of the function, where it is from (0: the adapter, 1: random), and its carrier within 15 s.
tell() {
	ip link set eth0 up
	tries=0
	until [ "$(cat $net/carrier)" = 1 ] || [ $((tries += 1)) -gt 15 ]; do sleep 1; done
	echo "$1 $(cat $net/address) $(cat $net/addr_assign_type) $(cat $net/carrier)"
}

insmod /lib/modules/igbvf.ko
tell up
ip address add 10.0.10.1/24 dev eth0
echo "ping $(ping -c 5 -W 30 10.0.10.2 | grep received)"
echo "open $(nc -w 30 10.0.10.2 10 2>&1)"
echo "denied $(nc -w 10 10.0.10.2 9 2>&1)"

driver=/sys/bus/pci/drivers/igbvf
address=$(basename "$(readlink $net/device)")
for state in down again; do
	echo "wants $state"
	read -r _
	echo "$address" >$driver/unbind
	echo "$address" >$driver/bind
	tell $state
done
dmesg | grep igbvf | sed 's/^/log /'
reboot -f
