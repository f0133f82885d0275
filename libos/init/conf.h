/* SPDX-License-Identifier: MIT */
/*
 * conf.h - what the launcher tells init before the program runs; frame.h has what they say while it does.
 *
 * The launcher puts a file CONF_PATH into the initial file system: strings "KEY=VALUE", each with
 * its NUL, in any order but that of the same key. Init reads it and removes it.
 *
 *	arg=WORD	of the program's command line; the first is the program, by path or name
 *	env=NAME=VALUE	of its environment, which has nothing else
 *	cwd=PATH	its working directory
 *	user=USER[:GROUP]
 *			who it runs as; names are those of the image
 *	dm=NAME SECTORS TYPE PARAMETERS
 *			a device-mapper device, at /dev/mapper/NAME, in this order; "-ro" after
 *			NAME: read-only. Parameters may hold a key, so init wipes its copy.
 *	ordered=DEVICE	/dev/ordered is to be made over it (/proc/lo/ordered)
 *	root=DEVICE	what has the root file system (ext4)
 *	rootflags=OPTS	of its mount; "ro" for a file system that is only read
 *	tty=1		standard streams are the console, a terminal; else /dev/host/{stdin,stdout,stderr}
 *	hostname=NAME
 *	net=INTERFACE	is to be up, with
 *	mac=MAC		its own address,
 *	ip=ADDR/LEN	addresses, IPv4 or IPv6,
 *	gw=ADDR		default routes
 *	dns=ADDR	name servers; they cover the image's /etc/resolv.conf
 */
#ifndef INIT_CONF_H
#define INIT_CONF_H

#define CONF_PATH "/boot.conf"
#define CONF_MAX  (1 << 20)

#endif
