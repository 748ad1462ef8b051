-- Orders that the shop has and the warehouse lacks, or has otherwise; and the other way round. All must be 0.
with shop as (select * from demo_incremental_load.shop_order),
landed as (select * from demo_incremental_load.landed_order)
select
    (select count(*) from shop) as orders,
    (select count(*) from (select * from shop except select * from landed) as missing) as missing_or_different,
    (select count(*) from (select * from landed except select * from shop) as surplus) as surplus,
    (select watermark from ops.load_watermark where pipeline = 'demo_incremental_load_v1.load_orders') as watermark;
