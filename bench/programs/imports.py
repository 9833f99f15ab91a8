"""Imports fifty modules of the standard library."""
import argparse, array, ast, asyncio, base64, bisect, calendar, collections, concurrent.futures, configparser
import contextlib, copy, csv, dataclasses, datetime, decimal, difflib, dis, email, enum
import fractions, functools, glob, gzip, hashlib, heapq, html, http.client, inspect, io
import itertools, json, logging, math, multiprocessing, operator, pathlib, pickle, platform, pprint
import random, re, shutil, socket, statistics, string, subprocess, tempfile, unittest, xml.etree.ElementTree
