<?php
echo PHP_VERSION, "\n";
