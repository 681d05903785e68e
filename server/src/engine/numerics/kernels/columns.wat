;; The same sums as kernels.wat for weights whose channels are columns, as they lie: nothing is transposed. Every lane
;; holds a channel. A tile of rows `stride` bytes apart is walked four rows at a time, so that what is known of a column
;; is read once for four elements. Rows and columns of a tile are multiples of four.
;;
;; Exactness as in kernels.wat: the error loop multiplies by 1 / scale, and four times four elements of which one comes
;; too close to a tie are computed again with the division.
;;
;; Built by scripts/build-kernels.mjs into columns-binary.ts. Works on the memory of kernels.wat.
(module
  (import "host" "memory" (memory 1))

  (func $sum (param $lanes v128) (result f64)
    (local $pair v128)
    (local.set $pair
      (f64x2.add
        (f64x2.promote_low_f32x4 (local.get $lanes))
        (f64x2.promote_low_f32x4
          (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $lanes) (local.get $lanes)))))
    (f64.add (f64x2.extract_lane 0 (local.get $pair)) (f64x2.extract_lane 1 (local.get $pair))))

  ;; to[column] += lane, four float64 from four float32.
  (func $flush (param $lanes v128) (param $to i32)
    (v128.store (local.get $to)
      (f64x2.add (v128.load (local.get $to)) (f64x2.promote_low_f32x4 (local.get $lanes))))
    (v128.store offset=16 (local.get $to)
      (f64x2.add
        (v128.load offset=16 (local.get $to))
        (f64x2.promote_low_f32x4
          (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $lanes) (local.get $lanes))))))

  ;; out[column] = max(out[column], max|x| over the column) as float32 bits: finite < infinity < NaN.
  (func (export "columnAbsMax") (param $p i32) (param $stride i32) (param $rows i32) (param $columns i32) (param $out i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $q i32) (local $end i32) (local $positive v128)
    (local.set $positive (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff))
    (local.set $end (i32.add (local.get $out) (i32.shl (local.get $columns) (i32.const 2))))
    (block $done
      (loop $quad
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $a (local.get $p))
        (local.set $b (i32.add (local.get $a) (local.get $stride)))
        (local.set $c (i32.add (local.get $b) (local.get $stride)))
        (local.set $d (i32.add (local.get $c) (local.get $stride)))
        (local.set $p (i32.add (local.get $d) (local.get $stride)))
        (local.set $q (local.get $out))
        (loop $vector
          (v128.store (local.get $q)
            (i32x4.max_s
              (v128.load (local.get $q))
              (i32x4.max_s
                (i32x4.max_s
                  (v128.and (v128.load (local.get $a)) (local.get $positive))
                  (v128.and (v128.load (local.get $b)) (local.get $positive)))
                (i32x4.max_s
                  (v128.and (v128.load (local.get $c)) (local.get $positive))
                  (v128.and (v128.load (local.get $d)) (local.get $positive))))))
          (local.set $a (i32.add (local.get $a) (i32.const 16)))
          (local.set $b (i32.add (local.get $b) (i32.const 16)))
          (local.set $c (i32.add (local.get $c) (i32.const 16)))
          (local.set $d (i32.add (local.get $d) (i32.const 16)))
          (br_if $vector (i32.lt_u (local.tee $q (i32.add (local.get $q) (i32.const 16))) (local.get $end))))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 4)))
        (br $quad))))

  ;; signal[column] += Σx². Of t = x · factor, which is near 1: powers[0], [2], [3] += Σt, Σt³, Σt⁴; `extremes` holds the
  ;; least and the largest value. `sums`: four bytes of zeros for every column, zeros afterwards.
  (func (export "columnMoments")
    (param $p i32) (param $stride i32) (param $rows i32) (param $columns i32)
    (param $factor f32) (param $sums i32) (param $signal i32) (param $powers i32) (param $extremes i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $q i32) (local $end i32)
    (local $x v128) (local $y v128) (local $z v128) (local $w v128) (local $scale v128)
    (local $xx v128) (local $yy v128) (local $zz v128) (local $ww v128)
    (local $one v128) (local $three v128) (local $four v128) (local $low v128) (local $high v128)
    (local.set $scale (f32x4.splat (local.get $factor)))
    (local.set $low (v128.load32_splat (local.get $extremes)))
    (local.set $high (v128.load32_splat offset=4 (local.get $extremes)))
    (local.set $end (i32.add (local.get $sums) (i32.shl (local.get $columns) (i32.const 2))))
    (block $done
      (loop $quad
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $a (local.get $p))
        (local.set $b (i32.add (local.get $a) (local.get $stride)))
        (local.set $c (i32.add (local.get $b) (local.get $stride)))
        (local.set $d (i32.add (local.get $c) (local.get $stride)))
        (local.set $p (i32.add (local.get $d) (local.get $stride)))
        (local.set $q (local.get $sums))
        (local.set $one (v128.const i32x4 0 0 0 0))
        (local.set $three (v128.const i32x4 0 0 0 0))
        (local.set $four (v128.const i32x4 0 0 0 0))
        (loop $vector
          (local.set $x (v128.load (local.get $a)))
          (local.set $y (v128.load (local.get $b)))
          (local.set $z (v128.load (local.get $c)))
          (local.set $w (v128.load (local.get $d)))
          (local.set $low
            (f32x4.pmin
              (f32x4.pmin (local.get $low) (f32x4.pmin (local.get $x) (local.get $y)))
              (f32x4.pmin (local.get $z) (local.get $w))))
          (local.set $high
            (f32x4.pmax
              (f32x4.pmax (local.get $high) (f32x4.pmax (local.get $x) (local.get $y)))
              (f32x4.pmax (local.get $z) (local.get $w))))
          (v128.store (local.get $q)
            (f32x4.add
              (v128.load (local.get $q))
              (f32x4.add
                (f32x4.add
                  (f32x4.mul (local.get $x) (local.get $x))
                  (f32x4.mul (local.get $y) (local.get $y)))
                (f32x4.add
                  (f32x4.mul (local.get $z) (local.get $z))
                  (f32x4.mul (local.get $w) (local.get $w))))))
          (local.set $x (f32x4.mul (local.get $x) (local.get $scale)))
          (local.set $y (f32x4.mul (local.get $y) (local.get $scale)))
          (local.set $z (f32x4.mul (local.get $z) (local.get $scale)))
          (local.set $w (f32x4.mul (local.get $w) (local.get $scale)))
          (local.set $xx (f32x4.mul (local.get $x) (local.get $x)))
          (local.set $yy (f32x4.mul (local.get $y) (local.get $y)))
          (local.set $zz (f32x4.mul (local.get $z) (local.get $z)))
          (local.set $ww (f32x4.mul (local.get $w) (local.get $w)))
          (local.set $one
            (f32x4.add
              (local.get $one)
              (f32x4.add
                (f32x4.add (local.get $x) (local.get $y))
                (f32x4.add (local.get $z) (local.get $w)))))
          (local.set $three
            (f32x4.add
              (local.get $three)
              (f32x4.add
                (f32x4.add (f32x4.mul (local.get $xx) (local.get $x)) (f32x4.mul (local.get $yy) (local.get $y)))
                (f32x4.add (f32x4.mul (local.get $zz) (local.get $z)) (f32x4.mul (local.get $ww) (local.get $w))))))
          (local.set $four
            (f32x4.add
              (local.get $four)
              (f32x4.add
                (f32x4.add (f32x4.mul (local.get $xx) (local.get $xx)) (f32x4.mul (local.get $yy) (local.get $yy)))
                (f32x4.add (f32x4.mul (local.get $zz) (local.get $zz)) (f32x4.mul (local.get $ww) (local.get $ww))))))
          (local.set $a (i32.add (local.get $a) (i32.const 16)))
          (local.set $b (i32.add (local.get $b) (i32.const 16)))
          (local.set $c (i32.add (local.get $c) (i32.const 16)))
          (local.set $d (i32.add (local.get $d) (i32.const 16)))
          (br_if $vector (i32.lt_u (local.tee $q (i32.add (local.get $q) (i32.const 16))) (local.get $end))))
        (f64.store (local.get $powers) (f64.add (f64.load (local.get $powers)) (call $sum (local.get $one))))
        (f64.store offset=16 (local.get $powers)
          (f64.add (f64.load offset=16 (local.get $powers)) (call $sum (local.get $three))))
        (f64.store offset=24 (local.get $powers)
          (f64.add (f64.load offset=24 (local.get $powers)) (call $sum (local.get $four))))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 4)))
        (br $quad)))
    (loop $bring
      (call $flush (v128.load (local.get $sums)) (local.get $signal))
      (v128.store (local.get $sums) (v128.const i32x4 0 0 0 0))
      (local.set $signal (i32.add (local.get $signal) (i32.const 32)))
      (br_if $bring (i32.lt_u (local.tee $sums (i32.add (local.get $sums) (i32.const 16))) (local.get $end))))
    (f32.store (local.get $extremes)
      (f32.min
        (f32.min (f32x4.extract_lane 0 (local.get $low)) (f32x4.extract_lane 1 (local.get $low)))
        (f32.min (f32x4.extract_lane 2 (local.get $low)) (f32x4.extract_lane 3 (local.get $low)))))
    (f32.store offset=4 (local.get $extremes)
      (f32.max
        (f32.max (f32x4.extract_lane 0 (local.get $high)) (f32x4.extract_lane 1 (local.get $high)))
        (f32.max (f32x4.extract_lane 2 (local.get $high)) (f32x4.extract_lane 3 (local.get $high))))))

  ;; Quantizers of columns, 64 bytes for four of them: scales max|x| / qmax, their inverses, the squares of the smallest
  ;; errors that may hide another code, and sums that begin at 0. `margin` as in kernels.wat.
  (func (export "columnQuantizers") (param $absMax i32) (param $columns i32) (param $qmax f32) (param $margin f32) (param $to i32)
    (local $end i32) (local $scale v128) (local $limit v128)
    (local.set $end (i32.add (local.get $absMax) (i32.shl (local.get $columns) (i32.const 2))))
    (loop $vector
      (local.set $scale
        (f32x4.pmax
          (f32x4.div (v128.load (local.get $absMax)) (f32x4.splat (local.get $qmax)))
          (v128.const f32x4 0x1p-126 0x1p-126 0x1p-126 0x1p-126)))
      (local.set $limit (f32x4.mul (local.get $scale) (f32x4.splat (local.get $margin))))
      (v128.store (local.get $to) (local.get $scale))
      (v128.store offset=16 (local.get $to) (f32x4.div (v128.const f32x4 1 1 1 1) (local.get $scale)))
      (v128.store offset=32 (local.get $to) (f32x4.mul (local.get $limit) (local.get $limit)))
      (v128.store offset=48 (local.get $to) (v128.const i32x4 0 0 0 0))
      (local.set $to (i32.add (local.get $to) (i32.const 64)))
      (br_if $vector
        (i32.lt_u (local.tee $absMax (i32.add (local.get $absMax) (i32.const 16))) (local.get $end)))))

  ;; Squared errors of four elements, by division: the definition.
  (func $exact (param $x v128) (param $scale v128) (result v128)
    (local.set $x
      (f32x4.sub
        (local.get $x)
        (f32x4.mul (f32x4.nearest (f32x4.div (local.get $x) (local.get $scale))) (local.get $scale))))
    (f32x4.mul (local.get $x) (local.get $x)))

  ;; noise[column] += Σ(x − code · scale)².
  (func (export "columnErrors")
    (param $p i32) (param $stride i32) (param $rows i32) (param $columns i32) (param $quantizers i32) (param $noise i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $q i32) (local $end i32)
    (local $x v128) (local $y v128) (local $z v128) (local $w v128) (local $scale v128) (local $inverse v128)
    (local.set $end (i32.add (local.get $quantizers) (i32.shl (local.get $columns) (i32.const 4))))
    (block $done
      (loop $quad
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $a (local.get $p))
        (local.set $b (i32.add (local.get $a) (local.get $stride)))
        (local.set $c (i32.add (local.get $b) (local.get $stride)))
        (local.set $d (i32.add (local.get $c) (local.get $stride)))
        (local.set $p (i32.add (local.get $d) (local.get $stride)))
        (local.set $q (local.get $quantizers))
        (loop $vector
          (local.set $scale (v128.load (local.get $q)))
          (local.set $inverse (v128.load offset=16 (local.get $q)))
          (local.set $x (v128.load (local.get $a)))
          (local.set $y (v128.load (local.get $b)))
          (local.set $z (v128.load (local.get $c)))
          (local.set $w (v128.load (local.get $d)))
          (local.set $x
            (f32x4.sub
              (local.get $x)
              (f32x4.mul (f32x4.nearest (f32x4.mul (local.get $x) (local.get $inverse))) (local.get $scale))))
          (local.set $y
            (f32x4.sub
              (local.get $y)
              (f32x4.mul (f32x4.nearest (f32x4.mul (local.get $y) (local.get $inverse))) (local.get $scale))))
          (local.set $z
            (f32x4.sub
              (local.get $z)
              (f32x4.mul (f32x4.nearest (f32x4.mul (local.get $z) (local.get $inverse))) (local.get $scale))))
          (local.set $w
            (f32x4.sub
              (local.get $w)
              (f32x4.mul (f32x4.nearest (f32x4.mul (local.get $w) (local.get $inverse))) (local.get $scale))))
          (local.set $x (f32x4.mul (local.get $x) (local.get $x)))
          (local.set $y (f32x4.mul (local.get $y) (local.get $y)))
          (local.set $z (f32x4.mul (local.get $z) (local.get $z)))
          (local.set $w (f32x4.mul (local.get $w) (local.get $w)))
          (if
            (v128.any_true
              (f32x4.gt
                (f32x4.pmax (f32x4.pmax (local.get $x) (local.get $y)) (f32x4.pmax (local.get $z) (local.get $w)))
                (v128.load offset=32 (local.get $q))))
            (then
              (local.set $x (call $exact (v128.load (local.get $a)) (local.get $scale)))
              (local.set $y (call $exact (v128.load (local.get $b)) (local.get $scale)))
              (local.set $z (call $exact (v128.load (local.get $c)) (local.get $scale)))
              (local.set $w (call $exact (v128.load (local.get $d)) (local.get $scale)))))
          (v128.store offset=48 (local.get $q)
            (f32x4.add
              (v128.load offset=48 (local.get $q))
              (f32x4.add
                (f32x4.add (local.get $x) (local.get $y))
                (f32x4.add (local.get $z) (local.get $w)))))
          (local.set $a (i32.add (local.get $a) (i32.const 16)))
          (local.set $b (i32.add (local.get $b) (i32.const 16)))
          (local.set $c (i32.add (local.get $c) (i32.const 16)))
          (local.set $d (i32.add (local.get $d) (i32.const 16)))
          (br_if $vector (i32.lt_u (local.tee $q (i32.add (local.get $q) (i32.const 64))) (local.get $end))))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 4)))
        (br $quad)))
    (loop $bring
      (call $flush (v128.load offset=48 (local.get $quantizers)) (local.get $noise))
      (v128.store offset=48 (local.get $quantizers) (v128.const i32x4 0 0 0 0))
      (local.set $noise (i32.add (local.get $noise) (i32.const 32)))
      (br_if $bring
        (i32.lt_u (local.tee $quantizers (i32.add (local.get $quantizers) (i32.const 64))) (local.get $end))))))
